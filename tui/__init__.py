"""What people touch: slotctl and slottop."""
