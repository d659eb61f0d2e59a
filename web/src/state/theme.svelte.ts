/** Dark or light: what the system says, until somebody says otherwise here. */

import { recall, remember } from "./storage";

export type Choice = "system" | "dark" | "light";

const isChoice = (value: unknown): value is Choice => value === "system" || value === "dark" || value === "light";

class Theme {
  choice = $state<Choice>(recall("theme", isChoice) ?? "system");
  readonly #light = matchMedia("(prefers-color-scheme: light)");
  #systemIsLight = $state(this.#light.matches);

  constructor() {
    this.#light.addEventListener("change", (event) => (this.#systemIsLight = event.matches));
    this.#show();
  }

  /** What is shown. */
  get shown(): "dark" | "light" {
    if (this.choice !== "system") return this.choice;
    return this.#systemIsLight ? "light" : "dark";
  }

  choose(choice: Choice): void {
    this.choice = choice;
    remember("theme", choice);
    this.#show();
  }

  #show(): void {
    if (this.choice === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = this.choice;
  }
}

export const theme = new Theme();
