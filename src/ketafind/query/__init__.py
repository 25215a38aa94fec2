"""The searching core: clinics as points and bits, compiled filters, one ranking."""
