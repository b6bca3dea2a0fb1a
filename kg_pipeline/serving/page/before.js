// Runs before the first paint, so that a chosen theme does not flash.
"use strict";
{
  const theme = localStorage.getItem("kg-pipeline.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}
