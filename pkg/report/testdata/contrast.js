// How well everything that can be seen stands out from what is behind it, by the formula of WCAG 2: texts at 4.5 to one, bars
// and the marks beside words at three to one.
(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const channels = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (color) => {
    const [r, g, b] = channels(color).slice(0, 3).map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (light + 0.05) / (dark + 0.05);
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const { backgroundColor, opacity } = getComputedStyle(e);
      if (opacity !== "1") throw new Error("contrast of what is half transparent is not measured");
      if (channels(backgroundColor)[3] === 255) return backgroundColor;
      if (channels(backgroundColor)[3] !== 0) throw new Error("contrast before what is half transparent is not measured");
    }
  };
  const result = { ground: behind(document.documentElement), texts: 0, marks: 0, faint: [] };
  const check = (what, color, ground, least) => {
    if (contrast(color, ground) < least) result.faint.push(`${what}: ${color} on ${ground} is ${contrast(color, ground).toFixed(2)}`);
  };

  const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility() || element.matches("title, desc, option")) continue;
    const style = getComputedStyle(element);
    check(texts.currentNode.data, element.closest("svg") ? style.fill : style.color, behind(element), 4.5);
    result.texts++;
  }
  for (const control of document.querySelectorAll("input, select")) {
    check(control.name, getComputedStyle(control).color, behind(control), 4.5);
    check(`edge of ${control.name}`, getComputedStyle(control).borderTopColor, behind(control.parentElement), 3);
  }
  check("placeholder", getComputedStyle(document.querySelector("input"), "::placeholder").color, behind(document.querySelector("input")), 4.5);
  for (const bar of document.querySelectorAll("svg > rect")) {
    const { fill, stroke } = getComputedStyle(bar);
    check(`bar ${bar.className.baseVal}`, fill.startsWith("url") ? stroke : fill, behind(bar), 3);
    result.marks++;
  }
  for (const word of document.querySelectorAll("td :is(.step, .active, .inactive)")) {
    const { backgroundColor, borderTopColor, borderTopWidth } = getComputedStyle(word, "::before");
    check(`mark of ${word.textContent}`, borderTopWidth === "0px" ? backgroundColor : borderTopColor, behind(word), 3);
    result.marks++;
  }
  return result;
})();
