"""Vega-Lite charts. Colors that begin with @ are replaced by the page, for its light or dark theme."""

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
    """Return Vega, Vega-Lite and Vega-Embed as one script, without the addresses of Vega's online editor."""
    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return re.sub(r"https://(?:github\.com|vega\.github\.io)[^\"'`\s)]*", "", script)


def _finished(chart: alt.LayerChart | alt.FacetChart) -> Chart:
    content = chart.properties(width="container", height=HEIGHT).to_dict()
    return {key: value for key, value in content.items() if key not in ("$schema", "config")}


def _tooltip(*numbers: str, **kinds: str) -> list[alt.Tooltip]:
    """Return the tooltip of a point: fields with their kinds, then numbers."""
    named = [alt.Tooltip(f"{name}:{kind}") for name, kind in kinds.items()]
    return named + [alt.Tooltip(name, type="quantitative", format=".4g") for name in numbers]


def _level(value: float, name: str, y: alt.Y) -> list[alt.Chart]:
    """Return a labeled line at a reference value."""
    line = alt.Chart(pd.DataFrame({"value": [value], "name": [name]}))
    return [
        line.mark_rule(strokeDash=[2, 2], color="@ink").encode(y=y),
        line.mark_text(align="left", dy=-6, x=4, color="@ink").encode(y=y, text="name:N"),
    ]


def _axis(title: str, is_log: bool) -> alt.Y:
    scale = alt.Scale(type="log", nice=False, padding=16) if is_log else alt.Scale(zero=False)
    return alt.Y("value:Q", title=title, scale=scale, axis=alt.Axis(tickCount=4))


def _chosen(ratio: float) -> alt.Parameter:
    return alt.param(name="ratio", value=ratio)


def _is_chosen(yes: Any, no: Any) -> Any:  # noqa: ANN401 (what Altair takes)
    return alt.condition("abs(datum.ratio - ratio) < 1e-9", alt.value(yes), alt.value(no))


@dataclass(frozen=True)
class Curve:
    """A measure against δ/σ.

    Attributes:
        name: name of the chart.
        measure: name of the measure.
        unit: its unit, if it has one.
        table: columns ratio, value, low and high.
        level: a reference value and its label, if there is one.
        is_log: whether the axis is logarithmic.
    """

    name: str
    measure: str
    unit: str
    table: pd.DataFrame
    level: tuple[float, str] | None
    is_log: bool


def curve(shown: Curve, ratio: float) -> Chart:
    """Return a chart of a measure against δ/σ with 95 % intervals, with the chosen δ/σ highlighted."""
    title = f"{shown.measure} ({shown.unit})" if shown.unit else shown.measure
    y = _axis(title, shown.is_log)
    base = alt.Chart(shown.table).encode(x=alt.X("ratio:Q", title="δ/σ", axis=alt.Axis(grid=False, tickCount=6)))
    tooltip = _tooltip("ratio", "value", "low", "high")
    place = alt.Chart(alt.Data(values=[{}])).transform_calculate(at="ratio")
    layers = [
        place.mark_rule(strokeDash=[4, 3], color="@accent").encode(x="at:Q"),
        base.mark_line(color="@muted").encode(y=y),
        base.mark_rule(color="@muted").encode(y=alt.Y("low:Q", title=title), y2="high:Q"),
        base.mark_point(filled=True, opacity=1, color="@accent").encode(
            y=y, size=_is_chosen(140, 45), color=_is_chosen("@accent", "@muted"), tooltip=tooltip
        ),
    ]
    if shown.level:
        layers += _level(*shown.level, y)
    return _finished(alt.layer(*layers).add_params(_chosen(ratio)))


def spectrum(table: pd.DataFrame, ratio: float) -> Chart:
    """Return a chart of relative power by band, a line for each δ/σ, with the chosen one highlighted.

    Args:
        table: columns band, ratio, value, low and high.
        ratio: the δ/σ that is chosen first.
    """
    bands = alt.X("band:N", sort=BANDS, title="spatial frequency", axis=alt.Axis(labelAngle=0, grid=False))
    y = _axis("power relative to real images", is_log=True)
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


def quality(table: pd.DataFrame, measure: str, floor: float | None, is_log: bool) -> Chart:
    """Return a chart of distance against the number of function evaluations by sampler, with 95 % intervals.

    Args:
        table: columns sampler, evaluations, value, low and high.
        measure: name of the distance.
        floor: distance of real images, if it is known.
        is_log: whether the axis of distances is logarithmic.
    """
    y = _axis(measure, is_log)
    counts = sorted({int(count) for count in table["evaluations"]})
    axis, scale = alt.Axis(values=counts, grid=False), alt.Scale(type="log", nice=False, padding=14)
    x = alt.X("evaluations:Q", title="function evaluations (NFE)", scale=scale, axis=axis)
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
