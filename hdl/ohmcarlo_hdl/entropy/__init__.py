"""The coin: random bits from the array, with health tests."""
