"""The page that draws faces in a browser: its source, and what builds one HTML file of it.

page.html, style.css, boot.js and modules/*.js are its source, JavaScript as a browser runs it.
"""
