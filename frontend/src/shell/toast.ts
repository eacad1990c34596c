/** What the page says in passing, such as that something was copied. */

import { make } from "../dom/elements";

/** Copies, by whichever way the browser allows; gives what to say. */
export async function copied(text: string, what: string, root: HTMLElement): Promise<string> {
  try {
    await navigator.clipboard.writeText(text);
    return `Copied ${what}.`;
  } catch {
    const field = make("textarea", { class: "unseen", "aria-hidden": "true", tabindex: -1 });
    field.value = text;
    const focused = document.activeElement;
    root.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    if (focused instanceof HTMLElement) focused.focus();
    return done ? `Copied ${what}.` : "The browser does not let this page copy.";
  }
}

/** Says a text for a moment. */
export function sayer(toast: HTMLElement): (text: string) => void {
  let timer = 0;
  return (text) => {
    toast.textContent = text;
    toast.classList.add("shown");
    window.clearTimeout(timer);
    timer = window.setTimeout(() => toast.classList.remove("shown"), 2500);
  };
}
