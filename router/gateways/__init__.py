"""The rules inside gateways that people run already, one file a gateway."""
