/** Where the page is: paths of the History API, with filter, order and the open row in the query. */

import { isView, parse, print, type Place } from "./place";

class Route {
  place = $state.raw<Place>(parse(location.pathname, location.search));

  constructor() {
    window.addEventListener("popstate", () => {
      this.place = parse(location.pathname, location.search);
    });
  }

  /** Goes somewhere. */
  go(place: Place): void {
    history.pushState(null, "", print(place));
    this.place = place;
  }

  /** Changes where it is without a step back to before: a filter that is typed. */
  amend(change: Partial<Place>): void {
    this.place = { ...this.place, ...change };
    history.replaceState(null, "", print(this.place));
  }

  /** Follows a link to a view, where the browser is not asked for something else (a new tab). */
  readonly follow = (event: MouseEvent): void => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || link.origin !== location.origin || !isView(link.pathname.split("/")[1] ?? "")) return;
    event.preventDefault();
    this.go(parse(link.pathname, link.search));
  };
}

export const route = new Route();
