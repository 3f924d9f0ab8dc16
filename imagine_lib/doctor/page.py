"""The diagnosis as a notebook shows it: a table, with small pictures of the worst."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from imagine_lib.data.images import decode
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from imagine_lib.data.imageset import ImageItem
    from imagine_lib.doctor.diagnosis import Diagnosis
    from imagine_lib.doctor.finding import Finding

SHOWN = 6
"""Pictures of one finding."""

SIDE = 72
"""Of a picture, in pixels."""

SIGNS = {"error": "✖", "warning": "⚠", "note": "ℹ"}  # noqa: RUF001


def render(diagnosis: Diagnosis) -> str:
    """Return the diagnosis as HTML that needs nothing else; what users named is escaped."""
    data = diagnosis.data
    title = f"<p><b>{html.escape(data.source)}</b>, {len(data):,} images: {html.escape(diagnosis.summary)}</p>"
    if not diagnosis.findings:
        return title
    head = "".join(f'<th scope="col">{name}</th>' for name in ("", "found", "what to do", "examples"))
    rows = "".join(_row(diagnosis, finding) for finding in diagnosis.findings)
    return f"{title}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(diagnosis: Diagnosis, finding: Finding) -> str:
    sign = f'<span role="img" aria-label="{finding.severity}">{SIGNS[finding.severity]}</span>'
    pictures = [_picture(diagnosis.data.items[index]) for index in finding.pictures[:SHOWN]]
    shown = "".join(pictures) or html.escape(", ".join(finding.examples))
    cells = (sign, html.escape(finding.message), html.escape(finding.remedy), shown)
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _picture(item: ImageItem) -> str:
    """Return a thumbnail, or the name of what cannot be shown."""
    name = html.escape(item.name, quote=True)
    try:
        pixels = decode(item.content).pixels
    except DataError:
        return f"<code>{name}</code> "
    if pixels.dtype != np.uint8:
        values = np.nan_to_num(pixels.astype(np.float32))
        span = max(float(np.ptp(values)), 1e-12)
        pixels = ((values - values.min()) * (255 / span)).astype(np.uint8)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    image.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    source = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return f'<img src="{source}" alt="{name}" title="{name}"> '
