/* ---
description: Every fit agrees with the published one within its tolerance. README.md names the sources.
--- */
SELECT model, figure, published, ours, tolerance
FROM marts.published_fits
WHERE (abs(ours - published) <= tolerance) IS NOT TRUE
    -- On other days these data have other figures.
    AND DATE '{{ as_of }}' = DATE '1998-07-01'
    AND DATE '{{ var('calibration_until', as_of) }}' = DATE '1997-10-01'
