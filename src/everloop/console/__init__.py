"""The web page a person looks at: the ring as it turns, evidence, undo. It reads what ``loop/`` tells; what people do, ``loop/`` does.

``page.py`` is what a page is made of, ``routes.py`` the list of all of them, ``app.py`` the one app that lets people in and answers. A page
is a function of who asks and what for; it knows nothing of requests, cookies or sockets.
"""
