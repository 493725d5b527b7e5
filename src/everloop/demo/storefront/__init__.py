"""The demo of a Shopify shop: ``everloop demo --shopify``."""
