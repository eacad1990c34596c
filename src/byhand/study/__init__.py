"""Studies: variants x tasks x seeds as a durable queue."""
