
(function () {
  "use strict";
  var svg = document.querySelector("svg");
  var box = svg.viewBox.baseVal;
  var start = [box.x, box.y, box.width, box.height];
  var marks = Array.from(document.querySelectorAll(".mark"));
  var bar = document.getElementById("bar");
  var barText = document.getElementById("bar-text");
  var drag = null;
  var labelled = 0;
  // Where a label may stand: to the right first, then around the mark.
  var spots = [[11, 0], [-11, 0], [11, 11], [11, -11], [-11, 11], [-11, -11], [0, 16], [0, -16]];

  function kmPerPixel() {
    return Math.max(box.width / svg.clientWidth, box.height / svg.clientHeight);
  }
  // Each number stands at the first spot where it covers nothing; else nowhere until zoomed in.
  function label(scale) {
    var found = marks.filter(function (mark) { return mark.dataset.entries !== undefined; });
    var at = found.map(function (mark) { return [mark.dataset.x / scale, mark.dataset.y / scale]; });
    var covered = at.map(function (p) { return [p[0] - 8, p[1] - 8, p[0] + 8, p[1] + 8]; });
    found.forEach(function (mark, i) {
      var text = mark.querySelector("text");
      if (!text) { return; }
      text.style.display = "";
      var width = text.getComputedTextLength();
      var spot = spots.find(function (spot) {
        var left = at[i][0] + spot[0] - (spot[0] > 0 ? 0 : spot[0] < 0 ? width : width / 2);
        var middle = at[i][1] + spot[1];
        var box = [left, middle - 6, left + width, middle + 6];
        var free = covered.every(function (other) {
          return box[2] <= other[0] || other[2] <= box[0] || box[3] <= other[1] || other[3] <= box[1];
        });
        if (free) { covered.push(box); }
        return free;
      });
      if (!spot) { text.style.display = "none"; return; }
      text.setAttribute("x", spot[0]);
      text.setAttribute("y", spot[1] + 4);
      text.setAttribute("text-anchor", spot[0] > 0 ? "start" : spot[0] < 0 ? "end" : "middle");
    });
  }
  function draw() {
    var scale = kmPerPixel();
    if (!isFinite(scale) || scale <= 0) { return; }
    marks.forEach(function (mark) {
      var at = mark.dataset.x + " " + mark.dataset.y;
      mark.setAttribute("transform", "translate(" + at + ") scale(" + scale + ")");
    });
    if (scale !== labelled) { label(scale); labelled = scale; }
    var target = 160 * scale;
    var power = Math.pow(10, Math.floor(Math.log10(target)));
    var km = [5, 2, 1].find(function (step) { return step * power <= target; }) * power;
    bar.style.width = km / scale + "px";
    barText.textContent = Number(km.toPrecision(3)) + " km";
  }
  function pointAt(event) {
    var to = svg.getScreenCTM().inverse();
    return new DOMPoint(event.clientX, event.clientY).matrixTransform(to);
  }
  function zoom(factor, x, y) {
    var width = Math.min(Math.max(box.width * factor, 0.02), 80000);
    factor = width / box.width;
    box.x = x - (x - box.x) * factor;
    box.y = y - (y - box.y) * factor;
    box.width = width;
    box.height *= factor;
    draw();
  }
  function zoomMiddle(factor) { zoom(factor, box.x + box.width / 2, box.y + box.height / 2); }
  function move(right, down) { box.x += right; box.y += down; draw(); }
  function reset() {
    box.x = start[0]; box.y = start[1]; box.width = start[2]; box.height = start[3];
    draw();
  }

  svg.addEventListener("wheel", function (event) {
    event.preventDefault();
    var at = pointAt(event);
    zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 300))), at.x, at.y);
  }, { passive: false });
  svg.addEventListener("pointerdown", function (event) {
    drag = { x: event.clientX, y: event.clientY };
  });
  window.addEventListener("pointermove", function (event) {
    if (!drag) { return; }
    var scale = kmPerPixel();
    move((drag.x - event.clientX) * scale, (drag.y - event.clientY) * scale);
    drag = { x: event.clientX, y: event.clientY };
  });
  window.addEventListener("pointerup", function () { drag = null; });
  svg.addEventListener("keydown", function (event) {
    var step = box.width / 10;
    var keys = {
      "+": function () { zoomMiddle(0.7); }, "=": function () { zoomMiddle(0.7); },
      "-": function () { zoomMiddle(1 / 0.7); }, "0": reset,
      ArrowLeft: function () { move(-step, 0); }, ArrowRight: function () { move(step, 0); },
      ArrowUp: function () { move(0, -step); }, ArrowDown: function () { move(0, step); }
    };
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
  document.getElementById("in").addEventListener("click", function () { zoomMiddle(0.7); });
  document.getElementById("out").addEventListener("click", function () { zoomMiddle(1 / 0.7); });
  document.getElementById("all").addEventListener("click", reset);
  marks.forEach(function (mark) {
    mark.addEventListener("click", function () {
      var entries = document.querySelectorAll("details");
      (mark.dataset.entries || "").split(" ").forEach(function (at, i) {
        var entry = entries[Number(at)];
        if (at === "" || !entry) { return; }
        entry.open = true;
        if (i === 0) { entry.scrollIntoView({ block: "nearest" }); }
      });
    });
  });
  window.addEventListener("resize", draw);
  draw();
})();
