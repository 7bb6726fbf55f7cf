"""The image: the drop zone, the view that zooms, the strip of open images, the model's view.

`drop_zone` is what the window places; it shows `empty_page` or `picture_view`, and below the latter
`name_and_facts`. The view's `placement` is where the picture lies in it. `part_frame` lies over
the view: the rectangle that questions are about.
"""
