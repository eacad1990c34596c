/** For teachers (#tour&check): names and codes in, the days of the codes out. */

import { make } from "../../dom/elements";
import { glyph } from "../../dom/icons";
import { checked } from "../../state/code";

export function checking(): HTMLElement {
  const lines = make("textarea", { rows: 8, spellcheck: "false", placeholder: "Ada Lovelace 2EYS-17CR", "aria-label": "names and codes" });
  const list = make("ul", { class: "check-list" });
  const sums = make("p", { role: "status" });
  const show = (): void => {
    const found = checked(lines.value);
    list.replaceChildren(
      ...found.map(({ name, code, day }) => {
        const says = day ?? (code ? `${code} is not the code for this name` : "no code at the end of this line");
        return make("li", { class: day ? "right" : "wrong" }, make("b", {}, day ? "✓ " : "✗ "), name, ": ", says);
      }),
    );
    const right = found.filter(({ day }) => day).length;
    sums.textContent = found.length ? `${right} of ${found.length} right` : "";
  };
  lines.addEventListener("input", show);
  return make(
    "section",
    { class: "tour-check panel", "aria-label": "check codes" },
    make("h2", {}, glyph("table"), "Check the codes of a class"),
    make("p", {}, "A line for each student: the name as it was typed, then the code. Nothing leaves this page."),
    lines,
    sums,
    list,
    make(
      "p",
      { class: "soft small" },
      "A code says that all ten tasks were solved in some browser by that day. It cannot say by whom: who reads this page's source can make one.",
    ),
  );
}
