/* ---
description: >-
  Our fits beside the published ones. `tolerance` is how far a figure may be off: half a unit of the last published
  digit or a little more, wide where the likelihood is flat (beta of Pareto/NBD, b of BG/NBD).
grain: [model, figure]
columns:
  model: {description: Which, tests: [not_null]}
  figure: {description: "Parameter, standard error (_se), log-likelihood, or a prediction for the customer with x = 26, t_x
    = 30.857143, T = 31", tests: [not_null]}
  published: {description: As published, tests: [not_null]}
  ours: {description: As found, tests: [not_null]}
  tolerance: {description: How far it may be off, tests: [not_null]}
--- */
{% set figures = [
    ('BG/NBD', 'bg_nbd', [
        ('r', 0.2426, 0.0005), ('alpha', 4.4136, 0.002), ('a', 0.7929, 0.002), ('b', 2.4259, 0.005),
        ('r_se', 0.01256, 0.00013), ('alpha_se', 0.3782, 0.0038), ('a_se', 0.1857, 0.0019), ('b_se', 0.7053, 0.0071),
        ('log_likelihood', -9582.4292, 0.005)]),
    ('MBG/NBD', 'mbg_nbd', [
        ('r', 0.5248, 0.0005), ('alpha', 6.1831, 0.005), ('a', 0.8914, 0.005), ('b', 1.6140, 0.005),
        ('log_likelihood', -9582.1357, 0.005)]),
    ('Pareto/NBD', 'pareto_nbd', [
        ('r', 0.5533, 0.001), ('alpha', 10.578, 0.01), ('s', 0.6062, 0.002), ('beta', 11.669, 0.05),
        ('log_likelihood', -9594.9762, 0.005)]),
    ('Gamma-Gamma', 'spend', [
        ('p', 6.250, 0.01), ('q', 3.744, 0.01), ('gamma', 15.444, 0.01), ('log_likelihood', -4055.918, 0.005)]),
] %}
{% set predictions = [
    ('BG/NBD', 'bg_nbd', 0.968852, 25.757), ('Pareto/NBD', 'pareto_nbd', 0.997874, 25.456),
] %}
{% for model, column, rows in figures %}{% set last = loop.last %}{% for figure, published, tolerance in rows -%}
SELECT '{{ model }}' AS model, '{{ figure }}' AS figure, CAST({{ published }} AS DOUBLE) AS published,
    {{ column }}['{{ figure }}'] AS ours, CAST({{ tolerance }} AS DOUBLE) AS tolerance
FROM marts.model_fits
UNION ALL
{% endfor %}{% endfor -%}
{% for model, column, alive, purchases in predictions -%}
SELECT '{{ model }}', 'P(alive)', {{ alive }}, p_alive({{ column }}, 26, 216 / 7.0, 31), 0.00005 FROM marts.model_fits
UNION ALL
SELECT '{{ model }}', 'purchases in the next 52 weeks', {{ purchases }},
    expected_purchases({{ column }}, 26, 216 / 7.0, 31, 52, 'week'), 0.005
FROM marts.model_fits
{% if not loop.last %}UNION ALL
{% endif %}{% endfor %}
