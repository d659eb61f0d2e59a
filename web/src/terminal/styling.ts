/**
 * Has xterm.js style itself in ways that a strict policy allows. The page forbids inline styles (`style-src 'self'`), and
 * xterm.js fills `<style>` elements and sets `style` attributes as text. The same by way of style sheets that are adopted, and of
 * properties, is no inline style.
 */

/** A sheet in place of the text of a `<style>` element. */
function asSheet(page: Document): HTMLElement {
  const sheet = new CSSStyleSheet();
  const element = Document.prototype.createElement.call(page, "span");
  element.hidden = true;
  let text = "";
  Object.defineProperty(element, "textContent", {
    get: () => text,
    set(value: string) {
      text = value;
      sheet.replaceSync(value);
    },
  });
  page.adoptedStyleSheets.push(sheet);
  element.remove = () => {
    page.adoptedStyleSheets = page.adoptedStyleSheets.filter((adopted) => adopted !== sheet);
    HTMLElement.prototype.remove.call(element);
  };
  return element;
}

/** From now on the `style` attribute of a `<span>`, as each cell of a terminal may be, is set by way of its properties. */
function setStylesAsProperties(): void {
  HTMLSpanElement.prototype.setAttribute = function (name, value) {
    if (name === "style") this.style.cssText = value;
    else Element.prototype.setAttribute.call(this, name, value);
  };
}

/** Does what makes a terminal. All its `<style>` elements are made meanwhile, and nobody else's, for nothing is awaited. */
export function styled(page: Document, make: () => void): void {
  setStylesAsProperties();
  const create = (name: string, options?: ElementCreationOptions): HTMLElement =>
    name.toLowerCase() === "style" ? asSheet(page) : Document.prototype.createElement.call(page, name, options);
  Object.defineProperty(page, "createElement", { configurable: true, value: create });
  try {
    make();
  } finally {
    // The prototype's is there again.
    Reflect.deleteProperty(page, "createElement");
  }
}
