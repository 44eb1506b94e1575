"""Vega-Lite charts. Colors that begin with @ are replaced by the page, for its light or dark theme."""

import re
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

Chart = dict[str, Any]

HEIGHT = 190
BANDS = ["low", "middle", "high", "highest"]
CHOSEN = "abs(datum.ratio - ratio) < 1e-9"
DASHED: dict[str, Any] = {"strokeDash": [2, 2], "color": "@ink"}


def bundle() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script, without the addresses of Vega's online editor."""
    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return re.sub(r"https://(?:github\.com|vega\.github\.io)[^\"'`\s)]*", "", script)


def _finished(layers: list[alt.Chart], ratio: float | None = None) -> Chart:
    """Return layers as one chart, with the chosen δ/σ as its parameter."""
    chart = alt.layer(*layers)
    if ratio is not None:
        chart = chart.add_params(alt.param(name="ratio", value=ratio))
    content = chart.properties(width="container", height=HEIGHT).to_dict()
    return {key: value for key, value in content.items() if key not in ("$schema", "config")}


def _tooltip(*numbers: str, **kinds: str) -> list[alt.Tooltip]:
    """Return the tooltip of a point: fields with their kinds, then numbers."""
    named = [alt.Tooltip(f"{name}:{kind}") for name, kind in kinds.items()]
    return named + [alt.Tooltip(name, type="quantitative", format=".4g") for name in numbers]


def _level(level: tuple[float, str] | None, y: alt.Y) -> list[alt.Chart]:
    """Return a labeled line at a reference value."""
    if level is None:
        return []
    line = alt.Chart(pd.DataFrame({"value": [level[0]], "name": [level[1]]}))
    return [
        line.mark_rule(**DASHED).encode(y=y),
        line.mark_text(align="left", dy=-6, x=4, color="@ink").encode(y=y, text="name:N"),
    ]


def _axis(title: str, is_log: bool) -> alt.Y:
    scale = alt.Scale(type="log", nice=False, padding=16) if is_log else alt.Scale(zero=False)
    return alt.Y("value:Q", title=title, scale=scale, axis=alt.Axis(tickCount=4))


def _is_chosen(yes: Any, no: Any) -> Any:  # noqa: ANN401 (what Altair takes)
    return alt.condition(CHOSEN, alt.value(yes), alt.value(no))


def curve(table: pd.DataFrame, ratio: float, measure: str, level: tuple[float, str] | None, is_log: bool) -> Chart:
    """Return a chart of a measure against δ/σ with 95 % intervals, with the chosen δ/σ highlighted.

    Args:
        table: columns ratio, value, low and high.
        ratio: the δ/σ that is chosen first.
        measure: name of the measure, with its unit.
        level: a reference value and its label, if there is one.
        is_log: whether the axis is logarithmic.
    """
    y = _axis(measure, is_log)
    base = alt.Chart(table[["ratio", "value", "low", "high"]]).encode(
        x=alt.X("ratio:Q", title="δ/σ", axis=alt.Axis(grid=False, tickCount=6))
    )
    place = alt.Chart(alt.Data(values=[{}])).transform_calculate(at="ratio")
    layers = [
        place.mark_rule(strokeDash=[4, 3], color="@accent").encode(x="at:Q"),
        base.mark_line(color="@muted").encode(y=y),
        base.mark_rule(color="@muted").encode(y=alt.Y("low:Q", title=measure), y2="high:Q"),
        base.mark_point(filled=True, opacity=1, color="@accent").encode(
            y=y,
            size=_is_chosen(140, 45),
            color=_is_chosen("@accent", "@muted"),
            tooltip=_tooltip("ratio", "value", "low", "high"),
        ),
    ]
    return _finished(layers + _level(level, y), ratio)


def spectrum(table: pd.DataFrame, ratio: float) -> Chart:
    """Return a chart of relative power by band, a line for each δ/σ, with the chosen one highlighted.

    Args:
        table: columns band, ratio, value, low and high.
        ratio: the δ/σ that is chosen first.
    """
    y = _axis("power relative to real images", is_log=True)
    bands = alt.X("band:N", sort=BANDS, title="spatial frequency", axis=alt.Axis(labelAngle=0, grid=False))
    base = alt.Chart(table).encode(x=bands)
    chosen = base.transform_filter(CHOSEN)
    tooltip = _tooltip("ratio", "value", "low", "high", band="N")
    layers = [
        alt.Chart(pd.DataFrame({"value": [1.0]})).mark_rule(**DASHED).encode(y=y),
        base.mark_line(color="@muted", opacity=0.5, strokeWidth=1).encode(y=y, detail="ratio:N"),
        chosen.mark_line(color="@accent", strokeWidth=2.5).encode(y=y),
        chosen.mark_rule(color="@accent").encode(y=alt.Y("low:Q", title=""), y2="high:Q"),
        chosen.mark_point(filled=True, opacity=1, size=90, color="@accent").encode(y=y, tooltip=tooltip),
    ]
    return _finished(layers, ratio)


def quality(table: pd.DataFrame, measure: str, level: tuple[float, str] | None, is_log: bool) -> Chart:
    """Return a chart of distance against the number of function evaluations by sampler, with 95 % intervals.

    Args:
        table: columns sampler, evaluations, value, low and high.
        measure: name of the distance.
        level: distance of real images and its label, if it is known.
        is_log: whether the axis of distances is logarithmic.
    """
    y = _axis(measure, is_log)
    axis = alt.Axis(values=sorted({int(count) for count in table["evaluations"]}), grid=False)
    scale = alt.Scale(type="log", nice=False, padding=14)
    base = alt.Chart(table).encode(x=alt.X("evaluations:Q", title="function evaluations (NFE)", scale=scale, axis=axis))
    lines, legend = alt.Stroke("sampler:N", legend=None), alt.Legend(orient="bottom", title=None, columns=2)
    layers = [
        base.mark_line().encode(y=y, stroke=lines),
        base.mark_rule().encode(y=alt.Y("low:Q", title=measure), y2="high:Q", stroke=lines),
        base.mark_point(filled=True, opacity=1, size=70).encode(
            y=y,
            color=alt.Color("sampler:N", legend=legend),
            shape=alt.Shape("sampler:N", legend=legend),
            tooltip=_tooltip("value", "low", "high", sampler="N", evaluations="Q"),
        ),
    ]
    return _finished(layers + _level(level, y))
