/** Small pictures for buttons: lines on a field of 24 by 24. */

import { make, makeSvg } from "./elements";

const PATHS = {
  undo: "M9 14 4 9l5-5 M4 9h10.5a5.5 5.5 0 0 1 0 11H11",
  redo: "m15 14 5-5-5-5 M20 9H9.5a5.5 5.5 0 0 0 0 11H13",
  link: "M10 13a5 5 0 0 0 7.5.5l3-3a5 5 0 0 0-7-7l-1.7 1.7 M14 11a5 5 0 0 0-7.5-.5l-3 3a5 5 0 0 0 7 7l1.7-1.7",
  light:
    "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8 M12 2v2 M12 20v2 M4.9 4.9l1.4 1.4 M17.7 17.7l1.4 1.4 M2 12h2 M20 12h2 M4.9 19.1l1.4-1.4 M17.7 6.3l1.4-1.4",
  dark: "M20.5 14.2A8.5 8.5 0 0 1 9.8 3.5a8.5 8.5 0 1 0 10.7 10.7Z",
  auto: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18 M12 3v18",
  help: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18 M9.5 9.2a2.6 2.6 0 0 1 5 .9c0 1.7-2.5 2.4-2.5 3.9 M12 17v.01",
  open: "M3 7V5h6l2 3h10v11H3Z M3 11h18",
  table: "M4 5h16v14H4Z M4 10h16 M4 14.5h16 M10 5v14",
  back: "m14 6-6 6 6 6",
  forward: "m10 6 6 6-6 6",
  close: "M6 6l12 12 M18 6 6 18",
  copy: "M9 9h11v11H9Z M5 15H4V4h11v1",
  pen: "M4 20l1-4.5L16.5 4a2 2 0 0 1 2.9 0l.6.6a2 2 0 0 1 0 2.9L8.5 19Z M14.5 6l3.5 3.5",
  warn: "M12 4 2.8 20h18.4Z M12 10v4 M12 17v.01",
} as const;

const SOLID = {
  play: "M7 4.5v15l12-7.5Z",
  pause: "M7 5h3.5v14H7Z M13.5 5H17v14h-3.5Z",
  first: "M6 5v14 M19 5v14l-10-7Z",
} as const;

export type Icon = keyof typeof PATHS | keyof typeof SOLID;

export function glyph(icon: Icon): SVGSVGElement {
  const solid = icon in SOLID;
  const d = solid ? SOLID[icon as keyof typeof SOLID] : PATHS[icon as keyof typeof PATHS];
  return makeSvg(
    "svg",
    { class: "glyph", viewBox: "0 0 24 24", "aria-hidden": "true" },
    makeSvg("path", { d, class: solid ? "solid" : null }),
  );
}

/** A button that shows a picture alone; its name is for screen readers and for the tooltip. */
export function iconButton(icon: Icon, name: string, press: () => void): HTMLButtonElement {
  const button = make("button", { type: "button", class: "icon", "aria-label": name, title: name }, glyph(icon));
  button.addEventListener("click", press);
  return button;
}

/** Shows another picture, under another name. */
export function setIcon(button: HTMLButtonElement, icon: Icon, name: string): void {
  if (button.dataset.icon === icon && button.title === name) return;
  button.dataset.icon = icon;
  button.title = name;
  button.setAttribute("aria-label", name);
  button.replaceChildren(glyph(icon));
}
