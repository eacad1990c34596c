// What the pages do by themselves: live models start when they are seen, the first page's picture moves unless that is unwanted.
(() => {
  "use strict";

  const still = matchMedia("(prefers-reduced-motion: reduce)");

  /** The site's theme, for pages within the page. */
  const theme = () => document.body.dataset.theme || "auto";

  /** Put the live page in the place of its picture. Its address takes the theme that the reader chose here. */
  function start(figure) {
    const frame = document.createElement("iframe");
    const [page, fragment = ""] = figure.dataset.live.split("#");
    const parts = fragment.split("&").filter(Boolean);
    if (theme() !== "auto") parts.push(`theme=${theme()}`);
    frame.src = parts.length ? `${page}#${parts.join("&")}` : page;
    frame.title = figure.dataset.title;
    frame.className = "live-frame";
    figure.querySelector(".live-still").replaceWith(frame);
  }

  function watchLive() {
    const figures = document.querySelectorAll("figure.live");
    if (!("IntersectionObserver" in window)) return; // the picture stays, with its link
    const observer = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        observer.unobserve(entry.target);
        start(entry.target);
      }
    }, { threshold: 0.15 });
    for (const figure of figures) observer.observe(figure);
  }

  function watchTheme() {
    new MutationObserver(() => {
      for (const frame of document.querySelectorAll("iframe.live-frame")) {
        const bare = frame.src.replace(/[#&]theme=\w+/, "");
        const joined = bare.includes("#") ? "&" : "#";
        frame.src = theme() === "auto" ? bare : `${bare}${joined}theme=${theme()}`;
      }
    }).observe(document.body, { attributes: true, attributeFilter: ["data-theme"] });
  }

  function film() {
    const picture = document.querySelector(".film");
    const button = document.querySelector(".film-pause");
    if (!picture || !button) return;
    const set = (moving) => {
      picture.classList.toggle("film-moves", moving);
      button.textContent = moving ? "Pause" : "Move";
    };
    button.hidden = false;
    button.addEventListener("click", () => set(!picture.classList.contains("film-moves")));
    still.addEventListener("change", () => set(!still.matches));
    set(!still.matches);
  }

  /** Wide tables scroll in a box of their own, by keyboard, too. */
  function boxes() {
    for (const box of document.querySelectorAll(".table-wrapper, .highlight > pre, .math")) {
      const measure = () => {
        if (box.scrollWidth > box.clientWidth + 1) {
          box.tabIndex = 0;
        } else {
          box.removeAttribute("tabindex");
        }
      };
      measure();
      new ResizeObserver(measure).observe(box);
    }
  }

  /** Furo's two drawers are told apart by name. */
  function landmarks() {
    document.querySelector(".sidebar-drawer")?.setAttribute("aria-label", "Site");
    document.querySelector(".toc-drawer")?.setAttribute("aria-label", "Page");
  }

  landmarks();
  watchLive();
  watchTheme();
  film();
  boxes();
})();
