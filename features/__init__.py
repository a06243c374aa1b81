"""What was known at the instant of filing: every feature of a claim, from integer histories, point in time."""
