// The explorer, once as a blob; a frame of it wherever one is about to be seen, opened where the paragraph is.
const text = JSON.parse(document.getElementById("byhand-explorer-page").textContent);
const address = URL.createObjectURL(new Blob([text], { type: "text/html" }));
const seen = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      const frame = document.createElement("iframe");
      frame.title = target.dataset.title;
      frame.allow = "clipboard-write";
      frame.src = `${address}#${target.dataset.fragment}`;
      target.append(frame);
    }
  },
  { rootMargin: "200px" },
);
for (const place of document.querySelectorAll(".live")) seen.observe(place);
