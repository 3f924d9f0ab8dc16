// Draws TrainingProgress. All text goes through textContent, so nothing in a class or file name can run.

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 320;
const HEIGHT = 96;

function element(name, attributes = {}, text = '') {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  return node;
}

function curve(history, epochs) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute('role', 'img');
  const last = history.at(-1);
  svg.setAttribute('aria-label', last ? `${last.score_name} ${last.score.toFixed(3)}` : 'No epoch has ended yet');
  const line = document.createElementNS(SVG, 'polyline');
  const x = (epoch) => 4 + ((WIDTH - 8) * (epoch - 1)) / Math.max(epochs - 1, 1);
  const y = (score) => HEIGHT - 4 - (HEIGHT - 8) * score;
  line.setAttribute('points', history.map((row) => `${x(row.epoch)},${y(row.score)}`).join(' '));
  line.setAttribute('class', 'imagine-curve');
  svg.append(line);
  for (const row of history) {
    const dot = document.createElementNS(SVG, 'circle');
    dot.setAttribute('cx', x(row.epoch));
    dot.setAttribute('cy', y(row.score));
    dot.setAttribute('r', 2.5);
    svg.append(dot);
  }
  return svg;
}

function draw(root, state) {
  const percent = Math.round(state.share * 100);
  const last = state.history.at(-1);
  const numbers = last
    ? `Epoch ${state.epoch} of ${state.epochs} · loss ${last.loss.toFixed(3)} · ${last.score_name} ${last.score.toFixed(3)}`
    : state.epochs ? `Epoch ${state.epoch} of ${state.epochs}`
    : state.to_read ? `Reading the images: ${state.read} of ${state.to_read}` : 'Reading the images…';
  const bar = element('progress', { max: 100, value: percent, 'aria-label': 'Training progress' });
  const figure = element('figure');
  figure.append(curve(state.history, state.epochs), element('figcaption', {}, `${last ? last.score_name : 'score'} on the selection images by epoch, 0 to 1`));
  const messages = element('ul');
  for (const text of state.messages) messages.append(element('li', {}, text));
  root.replaceChildren(bar, element('p', { role: 'status' }, `${percent} % · ${numbers}`), figure, messages);
}

export default {
  render({ model, el }) {
    const root = element('div', { class: 'imagine-progress' });
    el.append(root);
    const update = () => draw(root, model.get('state'));
    model.on('change:state', update);
    update();
    return () => model.off('change:state', update);
  },
};
