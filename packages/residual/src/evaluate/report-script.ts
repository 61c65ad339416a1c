/** The report's own small script: values under the pointer, sortable tables, and a light or dark page.
 *  Kept as text, for it runs in the reader's browser; the page says everything without it. */

export const reportScript = String.raw`
(() => {
  const tip = document.getElementById('tip');
  const show = (text, x, y) => {
    tip.textContent = text;
    tip.style.visibility = 'visible';
    const box = tip.getBoundingClientRect();
    const left = x + 16 + box.width > innerWidth - 8 ? x - 16 - box.width : x + 16;
    tip.style.left = Math.max(8, left) + 'px';
    tip.style.top = Math.max(8, Math.min(innerHeight - box.height - 8, y + 14)) + 'px';
  };
  const hide = () => { tip.style.visibility = 'hidden'; };

  document.addEventListener('pointerover', (event) => {
    const cell = event.target.closest('[data-tip]');
    if (cell) show(cell.dataset.tip, event.clientX, event.clientY);
  });
  document.addEventListener('pointerout', (event) => {
    if (event.target.closest('[data-tip]')) hide();
  });

  for (const svg of document.querySelectorAll('svg[data-chart]')) {
    const chart = JSON.parse(svg.dataset.chart);
    const rule = svg.querySelector('.rule');
    const marks = chart.series.map((series) => {
      const mark = document.createElementNS('http://www.w3.org/2000/svg', 'circle');
      mark.setAttribute('r', 4.5);
      mark.setAttribute('class', 'mark c' + series.color);
      mark.setAttribute('visibility', 'hidden');
      svg.append(mark);
      return mark;
    });
    const leave = () => {
      hide();
      rule.style.visibility = 'hidden';
      for (const mark of marks) mark.setAttribute('visibility', 'hidden');
    };
    svg.addEventListener('pointerleave', leave);
    svg.addEventListener('pointermove', (event) => {
      const box = svg.getBoundingClientRect();
      const x = (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width;
      if (x < chart.left - 6 || x > chart.right + 6) return leave();
      const values = [];
      let nearest;
      chart.series.forEach((series, i) => {
        let best;
        for (const point of series.points) {
          if (!best || Math.abs(point[0] - x) < Math.abs(best[0] - x)) best = point;
        }
        if (!best) return;
        if (!nearest || Math.abs(best[0] - x) < Math.abs(nearest[0] - x)) nearest = best;
        marks[i].setAttribute('cx', best[0]);
        marks[i].setAttribute('cy', best[1]);
        marks[i].setAttribute('visibility', 'visible');
        values.push([series.name + '  ' + best[3], best[2]]);
      });
      if (!nearest) return;
      rule.setAttribute('x1', nearest[0]);
      rule.setAttribute('x2', nearest[0]);
      rule.style.visibility = 'visible';
      const lines = values.map(([text, at]) => at === nearest[2] ? text : text + '  (' + at + ')');
      show([nearest[2], ...lines].join('\n'), event.clientX, event.clientY);
    });
  }

  for (const heading of document.querySelectorAll('th[data-sort]')) {
    heading.addEventListener('click', () => {
      const body = heading.closest('table').tBodies[0];
      const column = heading.cellIndex;
      const text = heading.dataset.sort === 'text';
      const up = heading.getAttribute('aria-sort') ? heading.getAttribute('aria-sort') === 'descending' : true;
      for (const other of heading.parentNode.children) other.removeAttribute('aria-sort');
      heading.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      const key = (row) => text ? row.cells[column].textContent : Number(row.cells[column].dataset.value);
      const rows = [...body.rows].sort((a, b) => text ? key(a).localeCompare(key(b)) : key(a) - key(b));
      body.append(...(up ? rows : rows.reverse()));
    });
  }

  const button = document.querySelector('button.theme');
  button.hidden = false;
  const dark = () => document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;
  const label = () => { button.textContent = dark() ? 'Light' : 'Dark'; };
  button.addEventListener('click', () => {
    document.documentElement.dataset.theme = dark() ? 'light' : 'dark';
    label();
  });
  label();
})();
`;
