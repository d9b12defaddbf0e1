"""The tables `store_uptime` and `store_uptime_daily`: computing and refreshing them."""
