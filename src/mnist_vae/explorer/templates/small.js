// The small form: the planes alone.

const smallRoot = document.getElementById("explorer-small");
const smallPage = readPage(JSON.parse(document.getElementById("explorer-small-data").textContent));
smallPage.labels = bytes(smallPage.points.labels);
for (const model of smallPage.models) model.plane = columns(model.map);
planes(smallPage, smallRoot);
