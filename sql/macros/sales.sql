{# What counts as sold. #}

{# A line of core.order_lines that sold something: pieces above 0, for nothing or more. Who has such a line bought.
   Negative pieces are a return, a negative amount is a credit or a discount on a line of its own: their revenue counts
   like any other, but they are neither an order nor a purchase. #}
{% macro is_sale() -%}
(quantity > 0 AND revenue >= 0)
{%- endmacro %}
