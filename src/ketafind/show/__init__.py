"""Answers as people see them: text, HTML, plots, maps, exports. Works on columns and records."""
