"""The wallet in a browser: static files and the page that holds them."""
