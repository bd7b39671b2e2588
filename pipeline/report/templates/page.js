// Makes the tables of class `sortable` sort by the column whose head is pressed. Without it they stay as they are.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (head.hasAttribute("aria-hidden")) return;
    const button = document.createElement("button");
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(table, heads, column));
    head.append(button);
  });
}

function sort(table, heads, column) {
  const ascending = heads[column].getAttribute("aria-sort") !== "ascending";
  heads.forEach((head) => head.removeAttribute("aria-sort"));
  heads[column].setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const body = table.tBodies[0];
  const keyed = [...body.rows].map((row) => [key(row.cells[column]), row]);
  keyed.sort(([one], [other]) => compare(one, other, ascending ? 1 : -1));
  body.append(...keyed.map(([, row]) => row));
}

// Shows only what is of the class that is chosen. Without it everything is shown, and there is nothing to choose.
const filter = document.getElementById("filter");
if (filter) {
  filter.hidden = false;
  filter.addEventListener("change", (event) => {
    for (const item of document.querySelectorAll("[data-classes]")) {
      const { value } = event.target;
      item.hidden = value !== "" && !item.dataset.classes.split(" ").includes(value);
    }
  });
}

// The exact value where a cell has one, a number if it is one.
function key(cell) {
  const data = cell.querySelector("data");
  const text = data ? data.value : cell.textContent.trim();
  return text !== "" && !isNaN(text) ? Number(text) : text;
}

// What is empty stands last, whichever way.
function compare(one, other, direction) {
  if (one === "" || other === "") return (one === "") - (other === "");
  if (typeof one === "number" && typeof other === "number") return direction * (one - other);
  return direction * String(one).localeCompare(String(other), undefined, { numeric: true });
}
