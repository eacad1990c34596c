#!/bin/sh
# Sees to it that the tests of the explorer find a browser: Chromium, or Google's Chrome. Without one, and without root's rights to
# install it, these tests are left out, which is said here and at the end of the tests; BYHAND_CHROMIUM=none leaves them out as well,
# BYHAND_CHROMIUM=/path/of/chrome names one.
set -eu
[ -z "${BYHAND_CHROMIUM:-}" ] || exit 0
for program in chromium chromium-browser google-chrome google-chrome-stable; do
    ! command -v "$program" >/dev/null || exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "browser: installing Chromium; the tests of the explorer need it"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
    exit
fi
echo "browser: found no Chromium, so the tests of the explorer in a browser are left out; to run them, type" >&2
echo "browser: sudo apt-get install chromium (Debian), or name the one you have: BYHAND_CHROMIUM=/path/of/chrome" >&2
