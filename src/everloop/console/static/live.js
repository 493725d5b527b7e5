"use strict";
// Times in the viewer's zone, light or dark, and parts of the page that change by themselves. Everything works without it, but for these.
(() => {
  const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

  function local(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (isNaN(at) || time.dataset.utc) continue;
      time.dataset.utc = time.textContent;
      time.title = time.textContent;
      time.textContent = whole.format(at);
    }
  }

  // -- light and dark --

  const root = document.documentElement;
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const theme = document.querySelector("[data-theme-switch]");
  if (theme) {
    const say = () => { theme.textContent = dark() ? "Light" : "Dark"; };
    theme.hidden = false;
    theme.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      const scheme = document.querySelector("meta[name=color-scheme]");
      if (scheme) scheme.content = root.dataset.theme;
      document.cookie = "everloop_theme=" + root.dataset.theme + ";path=/console;max-age=31536000;samesite=lax" +
        (location.protocol === "https:" ? ";secure" : "");
      say();
    });
    say();
  }

  // -- what changes by itself --

  const state = document.getElementById("live-state");
  const tell = (words) => { if (state && state.textContent !== words) state.textContent = words; };

  function typedInto(section) {
    return [...section.querySelectorAll("input,textarea,select")].some((field) => {
      if (field.type === "hidden") return false;
      if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
      if (field.tagName === "SELECT") return [...field.options].some((o) => o.selected !== o.defaultSelected) && field.selectedIndex > 0;
      return field.value !== field.defaultValue;
    });
  }

  // A form under a hand is not exchanged for another: what is about to be pressed says what was looked at.
  const inHand = (section) => section.querySelector("form:focus-within,form:hover") !== null;

  const looked = (section) => [...section.querySelectorAll("input[name=generation]")].map((field) => field.value).join(" ");

  // What is about other traffic than a moment ago cannot be pressed yet: a finger may be on its way.
  function rest(section) {
    const buttons = [...section.querySelectorAll("form button:enabled")];
    for (const button of buttons) button.disabled = true;
    setTimeout(() => { for (const button of buttons) button.disabled = false; }, 2000);
  }

  // The way to an element inside its section, by which its successor is found: its id, or its place among its like.
  function wayTo(element, section) {
    if (element.id) return "#" + CSS.escape(element.id);
    const way = [];
    for (let at = element; at && at !== section; at = at.parentElement) {
      way.unshift(at.tagName.toLowerCase() + ":nth-of-type(" +
        ([...at.parentElement.children].filter((c) => c.tagName === at.tagName).indexOf(at) + 1) + ")");
    }
    return ":scope > " + way.join(" > ");
  }

  function put(section, fresh) {
    const active = section.contains(document.activeElement) && document.activeElement !== section ? document.activeElement : null;
    const way = active && wayTo(active, section);
    const open = [...section.querySelectorAll("details")].map((d) => d.open);
    const scrolled = [...section.querySelectorAll(".scrolls,pre")].map((s) => [s.scrollLeft, s.scrollTop]);
    const left = scrollX, top = scrollY;
    section.innerHTML = fresh.innerHTML;
    local(section);
    section.querySelectorAll("details").forEach((d, i) => { if (i < open.length) d.open = open[i]; });
    section.querySelectorAll(".scrolls,pre").forEach((s, i) => { if (scrolled[i]) [s.scrollLeft, s.scrollTop] = scrolled[i]; });
    const next = way && section.querySelector(way);
    if (next) next.focus({ preventScroll: true });
    scrollTo(left, top);
    section.classList.remove("changed");
    void section.offsetWidth;
    section.classList.add("changed");
  }

  let busy = false, again = false, waits = false, last = 0, timer = 0;
  const PAUSE = 1500; // a journal that grows all the time is not asked about all the time
  const BACK = 5000; // a house that did not answer is asked again
  const later = (wait) => { clearTimeout(timer); timer = setTimeout(look, wait); };
  const soon = () => later(Math.max(150, last + PAUSE - Date.now()));

  // How far the journal was before what is shown was read.
  let at = document.body.dataset.liveAt || "";

  async function look() {
    if (document.hidden) { again = true; return; }
    if (busy) { again = true; return; }
    busy = true;
    again = false;
    last = Date.now();
    try {
      const sections = [...document.querySelectorAll("[data-live][id]")];
      if (sections.length) {
        const answer = await fetch(location.href, { headers: { "Everloop-Live": "1" }, credentials: "same-origin", cache: "no-store" });
        if (answer.redirected || answer.status === 401) { location.reload(); return; }
        if (!answer.ok) throw new Error(answer.status);
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        waits = false;
        at = page.body.dataset.liveAt || at;
        for (const section of sections) {
          const fresh = page.getElementById(section.id);
          if (!fresh || fresh.innerHTML === kept.get(section.id)) continue;
          const moved = looked(section) && looked(fresh) && looked(section) !== looked(fresh);
          if (typedInto(section) || (moved && inHand(section))) { waits = true; continue; }
          put(section, fresh);
          if (moved) rest(section);
          kept.set(section.id, fresh.innerHTML);
        }
        const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" }).format(new Date());
        tell(waits ? "There is something newer; it waits until what you are writing is sent, or you leave the form." : "Up to date at " + clock + ".");
      }
    } catch (_) {
      tell("The house does not answer now; this page is as it was.");
      later(BACK); // what it was told of is not told again
    } finally {
      busy = false;
      if (again && !document.hidden) later(500);
    }
  }

  const kept = new Map();
  for (const section of document.querySelectorAll("[data-live][id]")) kept.set(section.id, section.innerHTML);
  local(document);

  const from = document.body.dataset.liveFrom;
  if (from && window.EventSource && kept.size) {
    let events;
    const listen = () => {
      if (events) events.close();
      events = new EventSource(from + (at && "?after=" + at));
      events.addEventListener("journal", (event) => { if (event.data !== at) soon(); });
      events.addEventListener("ended", () => { events.close(); location.reload(); });
      events.addEventListener("open", () => { if (!waits) tell(""); });
      events.addEventListener("error", () => {
        tell("Waiting for the house …");
        // A browser comes back by itself to a line that broke, but not to one that was refused: by a house that starts, or a session's end.
        if (events.readyState === EventSource.CLOSED) { soon(); setTimeout(listen, BACK); }
      });
    };
    listen();
    document.addEventListener("visibilitychange", () => { if (!document.hidden && again) look(); });
    for (const left of ["focusout", "pointerout"]) addEventListener(left, () => { if (waits) soon(); });
    addEventListener("pagehide", () => events.close());
    addEventListener("pageshow", (event) => { if (event.persisted) listen(); }); // kept by the browser while another page was shown
  }
})();
