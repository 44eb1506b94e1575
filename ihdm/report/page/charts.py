"""Charts as Vega-Lite descriptions. Colors that begin with @ are filled in by the page, for a light or a dark one."""

import re
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

Chart = dict[str, Any]

HEIGHT = 190
BANDS = ["low", "middle", "high", "highest"]


def bundle() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script, without the addresses of an editor that is never opened."""
    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return re.sub(r"https://(?:github\.com|vega\.github\.io)[^\"'`\s)]*", "", script)


def _finished(chart: alt.LayerChart | alt.FacetChart) -> Chart:
    content = chart.properties(width="container", height=HEIGHT).to_dict()
    return {key: value for key, value in content.items() if key not in ("$schema", "config")}


def _tooltip(*numbers: str, **kinds: str) -> list[alt.Tooltip]:
    """Return what is told of a point: names of texts and counts with their kinds, then numbers."""
    named = [alt.Tooltip(f"{name}:{kind}") for name, kind in kinds.items()]
    return named + [alt.Tooltip(name, type="quantitative", format=".4g") for name in numbers]


def _level(value: float, name: str, y: alt.Y) -> list[alt.Chart]:
    """Return a line at a value to compare with, and its name."""
    line = alt.Chart(pd.DataFrame({"value": [value], "name": [name]}))
    return [
        line.mark_rule(strokeDash=[2, 2], color="@ink").encode(y=y),
        line.mark_text(align="left", dy=-6, x=4, color="@ink").encode(y=y, text="name:N"),
    ]


def _chosen(ratio: float) -> alt.Parameter:
    return alt.param(name="ratio", value=ratio)


def _is_chosen(yes: Any, no: Any) -> Any:  # noqa: ANN401 (what Altair takes)
    return alt.condition("abs(datum.ratio - ratio) < 1e-9", alt.value(yes), alt.value(no))


@dataclass(frozen=True)
class Curve:
    """A measure against δ/σ.

    Attributes:
        name: of its chart.
        title: of the measure.
        table: columns ratio, value, low and high.
        level: a value to compare with and its name, if there is one.
        is_log: whether the measure is shown on a logarithmic scale.
    """

    name: str
    title: str
    table: pd.DataFrame
    level: tuple[float, str] | None
    is_log: bool


def curve(shown: Curve, ratio: float) -> Chart:
    """Return a measure against δ/σ with 95 % intervals, the chosen δ/σ, here the first one, marked."""
    scale = alt.Scale(type="log", nice=False, padding=16) if shown.is_log else alt.Scale(zero=False)
    y = alt.Y("value:Q", title=shown.title, scale=scale, axis=alt.Axis(tickCount=4))
    base = alt.Chart(shown.table).encode(x=alt.X("ratio:Q", title="δ/σ", axis=alt.Axis(grid=False, tickCount=6)))
    tooltip = _tooltip("ratio", "value", "low", "high")
    place = alt.Chart(alt.Data(values=[{}])).transform_calculate(at="ratio")
    layers = [
        place.mark_rule(strokeDash=[4, 3], color="@accent").encode(x="at:Q"),
        base.mark_line(color="@muted").encode(y=y),
        base.mark_rule(color="@muted").encode(y=alt.Y("low:Q", title=shown.title), y2="high:Q"),
        base.mark_point(filled=True, opacity=1, color="@accent").encode(
            y=y, size=_is_chosen(140, 45), color=_is_chosen("@accent", "@muted"), tooltip=tooltip
        ),
    ]
    if shown.level:
        layers += _level(*shown.level, y)
    return _finished(alt.layer(*layers).add_params(_chosen(ratio)))


def spectrum(table: pd.DataFrame, ratio: float) -> Chart:
    """Return the power of samples by band relative to training images, a line for each δ/σ, the chosen one marked.

    Args:
        table: columns band, ratio, value, low and high.
        ratio: the one chosen first.
    """
    bands = alt.X("band:N", sort=BANDS, title="spatial frequency", axis=alt.Axis(labelAngle=0, grid=False))
    y = alt.Y(
        "value:Q",
        title="power / that of real images",
        scale=alt.Scale(type="log", nice=False, padding=16),
        axis=alt.Axis(tickCount=4),
    )
    base = alt.Chart(table).encode(x=bands)
    chosen = base.transform_filter("abs(datum.ratio - ratio) < 1e-9")
    one = alt.Chart(pd.DataFrame({"value": [1.0]})).mark_rule(strokeDash=[2, 2], color="@ink").encode(y=y)
    tooltip = _tooltip("ratio", "value", "low", "high", band="N")
    return _finished(
        alt.layer(
            one,
            base.mark_line(color="@muted", opacity=0.5, strokeWidth=1).encode(y=y, detail="ratio:N"),
            chosen.mark_line(color="@accent", strokeWidth=2.5).encode(y=y),
            chosen.mark_rule(color="@accent").encode(y=alt.Y("low:Q", title=""), y2="high:Q"),
            chosen.mark_point(filled=True, opacity=1, size=90, color="@accent").encode(y=y, tooltip=tooltip),
        ).add_params(_chosen(ratio))
    )


def quality(table: pd.DataFrame, measure: str, floor: float | None) -> Chart:
    """Return a distance against the number of network evaluations, a line for each sampler, with 95 % intervals.

    Args:
        table: columns sampler, evaluations, value, low and high.
        measure: name of the distance.
        floor: what real images score, if it is known.
    """
    y = alt.Y("value:Q", title=measure, scale=alt.Scale(type="log", nice=False, padding=16), axis=alt.Axis(tickCount=4))
    counts = sorted({int(count) for count in table["evaluations"]})
    axis, scale = alt.Axis(values=counts, grid=False), alt.Scale(type="log", nice=False, padding=14)
    x = alt.X("evaluations:Q", title="network evaluations", scale=scale, axis=axis)
    legend = alt.Legend(orient="bottom", title=None, columns=2)
    base = alt.Chart(table).encode(x=x)
    lines = alt.Stroke("sampler:N", legend=None)
    tooltip = _tooltip("value", "low", "high", sampler="N", evaluations="Q")
    layers = [
        base.mark_line().encode(y=y, stroke=lines),
        base.mark_rule().encode(y=alt.Y("low:Q", title=measure), y2="high:Q", stroke=lines),
        base.mark_point(filled=True, opacity=1, size=70).encode(
            y=y,
            color=alt.Color("sampler:N", legend=legend),
            shape=alt.Shape("sampler:N", legend=legend),
            tooltip=tooltip,
        ),
    ]
    if floor is not None:
        layers += _level(floor, "real images", y)
    return _finished(alt.layer(*layers))
