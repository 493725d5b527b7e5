"""Measured numbers as people read them. Numbers in, text out."""

from __future__ import annotations


def figure(value: float | None) -> str:
    """A measured number with about three digits.

    >>> figure(0.44721), figure(12.3456), figure(1234.5), figure(0.00123), figure(0.0), figure(None)
    ('0.447', '12.3', '1,234', '0.00123', '0', 'unknown')
    """
    if value is None:
        return "unknown"
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 100:
        return f"{value:.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 1:
        return f"{value:.2f}"
    return f"{value:.3f}" if size >= 0.01 else f"{value:.3g}"


def percent(share: float | None) -> str:
    """A measured share in percent, to a tenth.

    >>> percent(0.1443), percent(0.02), percent(-0.0004), percent(1.0), percent(None)
    ('14.4 %', '2 %', '0 %', '100 %', 'unknown')
    """
    if share is None:
        return "unknown"
    text = f"{share * 100:,.1f}".removesuffix(".0")
    return f"{'0' if text == '-0' else text} %"


def span_of(low: float | None, high: float | None) -> str:
    """An interval of shares: ``11.6 … 17.2 %``.

    >>> span_of(0.116, 0.172)
    '11.6 … 17.2 %'
    """
    return f"{percent(low).removesuffix(' %')} … {percent(high)}"
