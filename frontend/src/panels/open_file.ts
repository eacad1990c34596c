/** Opening a model out of a file: chosen, or dropped anywhere on a page of our own. */

import "./open_file.css";
import { make, write } from "../dom/elements";
import { iconButton } from "../dom/icons";
import { contentsOf, described, documentOf } from "../files/opened";
import { UnreadableFile } from "../files/tensor";
import { open } from "../state/opened";

export interface OpenFile {
  element: HTMLDialogElement;
  show(): void;
  destroy(): void;
}

/** root: the explorer, which says that a document is to be opened in its place. */
export function makeOpenFile(root: HTMLElement): OpenFile {
  const input = make("input", { type: "file", accept: ".safetensors,.onnx", "aria-label": "a file with a model" });
  const said = make("p", { class: "open-said", role: "status" });
  const choices = make("div", { class: "open-choices" });
  const close = iconButton("close", "close", () => element.close());
  const element: HTMLDialogElement = make(
    "dialog",
    { class: "help open-file", "aria-label": "open a model" },
    make("div", { class: "row" }, make("h2", {}, "Open a model"), close),
    make(
      "p",
      {},
      "A .safetensors file with torch’s names (weight_ih_l0, under any prefix: LSTM, GRU, RNN) or an .onnx file with LSTM, GRU or RNN nodes. Choose one, or drop it anywhere on this page. It is read here; nothing is sent anywhere.",
    ),
    input,
    said,
    choices,
  );

  function show(): void {
    write(said, "");
    choices.replaceChildren();
    input.value = "";
    if (!element.open) element.showModal();
  }

  async function read(file: File): Promise<void> {
    show();
    write(said, `Reading ${file.name} …`);
    try {
      const contents = contentsOf(file.name, new Uint8Array(await file.arrayBuffer()));
      const ways = contents.stacks.map((stack) => {
        const button = make("button", { type: "button", class: "outlined" }, described(stack));
        button.addEventListener("click", () => {
          element.close();
          open(root, { doc: documentOf(stack, contents, file.name), fragment: "view=layer" });
        });
        return button;
      });
      if (ways.length === 1) ways[0].click();
      else {
        write(said, `${file.name} holds ${ways.length} models; which one?`);
        choices.replaceChildren(...ways);
        ways[0].focus();
      }
    } catch (problem) {
      if (!(problem instanceof UnreadableFile)) console.error(problem);
      const reason = problem instanceof Error ? problem.message : String(problem);
      write(said, `${file.name} was not opened: ${reason}${/[.?!]$/.test(reason) ? "" : "."}`);
    }
  }

  const brought = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
  const over = (event: DragEvent): void => {
    if (!brought(event)) return;
    event.preventDefault(); // else the browser leaves the page for the file
    root.classList.add("open-over");
  };
  const away = (event: DragEvent): void => {
    if (event.relatedTarget === null) root.classList.remove("open-over");
  };
  const dropped = (event: DragEvent): void => {
    root.classList.remove("open-over");
    if (!brought(event)) return;
    event.preventDefault();
    const [file] = event.dataTransfer!.files;
    if (file) void read(file);
  };
  input.addEventListener("change", () => input.files?.[0] && void read(input.files[0]));
  element.addEventListener("click", (event) => {
    if (event.target === element) element.close(); // beside it
  });
  document.addEventListener("dragover", over);
  document.addEventListener("dragleave", away);
  document.addEventListener("drop", dropped);
  return {
    element,
    show,
    destroy() {
      document.removeEventListener("dragover", over);
      document.removeEventListener("dragleave", away);
      document.removeEventListener("drop", dropped);
    },
  };
}
