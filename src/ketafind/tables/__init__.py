"""Tables in and out: CSV files, data frames, GeoJSON, HTML, terminal text, plots and maps.

Everything here works on columns and records, and knows no query.
"""
