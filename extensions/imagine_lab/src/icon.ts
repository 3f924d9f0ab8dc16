/** The icons of the panel (a pennate diatom) and the drive (a cloud), drawn for this project. */

import { LabIcon } from '@jupyterlab/ui-components';

const DIATOM = `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 24 24">
  <g fill="none" stroke-width="1.6" stroke-linecap="round" transform="rotate(40 12 12)">
    <path class="jp-icon3" stroke="#616161" d="M12 1.2C16.4 5 17.4 8.5 17.4 12S16.4 19 12 22.8C7.6 19 6.6 15.5 6.6 12S7.6 5 12 1.2Z"/>
    <path class="jp-icon3" stroke="#616161" d="M12 4.6V19.4"/>
    <path class="jp-icon3" stroke="#616161" d="M9.2 8H14.8M8.6 12H15.4M9.2 16H14.8"/>
  </g>
</svg>`;

const CLOUD = `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="#616161" d="M6.7 19.4A5.2 5.2 0 0 1 5.9 9.1 6.8 6.8 0 0 1 18.7 9.8 4.9 4.9 0 0 1 17.6 19.4Z"/>
</svg>`;

export const diatomIcon = new LabIcon({ name: 'imagine-lab:diatom', svgstr: DIATOM });
export const cloudIcon = new LabIcon({ name: 'imagine-lab:cloud', svgstr: CLOUD });
