// Before anything is painted: the page must not flash in the wrong colours.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const theme = localStorage.getItem("assay-theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch {
    // Storage is refused for some local files: the system's choice of colours stands.
  }
})();
