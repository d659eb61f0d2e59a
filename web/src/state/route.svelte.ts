/** Where the page is: paths of the History API, with filter, order and the open row in the query. */

import { parse, print, type Place } from "./place";

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

  /** Follows a link of this page, where the browser is not asked for something else (a new tab). */
  follow = (event: MouseEvent): void => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.currentTarget;
    if (!(link instanceof HTMLAnchorElement)) return;
    event.preventDefault();
    const url = new URL(link.href);
    this.go(parse(url.pathname, url.search));
  };
}

export const route = new Route();
