"""The coin: bits from the array, under health tests."""
