SELECT from_tier, to_tier, customers, value_change
FROM marts.segment_migration
WHERE to_as_of = (SELECT as_of FROM core.periods WHERE period = DATE '{{ period.start }}')
ORDER BY from_tier, to_tier
