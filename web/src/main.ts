/** The page: session → mirror → views. */

import { mount } from "svelte";
import "./style/tokens.css";
import "./style/base.css";
import App from "./App.svelte";
import { session } from "./state/session.svelte";

const target = document.getElementById("app");
if (target) {
  mount(App, { target });
  session.start();
}
