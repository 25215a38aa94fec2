"""The nearest clinics of every row of a frame."""
