"""Tables in and out: clinics and evidence as CSV files and data frames."""
