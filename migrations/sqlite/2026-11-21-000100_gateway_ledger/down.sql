DROP TABLE gateway_charges;
