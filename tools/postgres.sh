#!/bin/sh
# Sees to it that the tests of studies find a PostgreSQL. They start a server of their own, in a temporary folder, on a socket;
# of the system they need its programs only. Without them, and without root's rights to install them, these tests are left out, which
# is said here and at the end of the tests; BYHAND_POSTGRES=none leaves them out as well.
set -eu
[ "${BYHAND_POSTGRES:-}" != none ] || exit 0
for program in /usr/lib/postgresql/*/bin/initdb /opt/homebrew/opt/postgresql*/bin/initdb "$(command -v initdb || true)"; do
    [ ! -x "$program" ] || exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "postgres: installing; the tests of studies need it"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null
    exit
fi
echo "postgres: found no initdb, so the tests of studies on PostgreSQL are left out; to run them, type" >&2
echo "postgres: sudo apt-get install postgresql (Debian, Ubuntu), or: brew install postgresql (macOS)" >&2
