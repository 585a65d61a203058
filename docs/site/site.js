/* Tables that scroll can be reached by the keyboard. The theme wraps them when a page is shown. */
addEventListener("load", () => {
  for (const region of document.querySelectorAll(".md-typeset__scrollwrap")) {
    if (region.scrollWidth > region.clientWidth) {
      region.tabIndex = 0;
      region.setAttribute("role", "region");
      region.setAttribute("aria-label", "Table that scrolls");
    }
  }
});
