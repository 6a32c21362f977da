<?php
session_start();
if (file_put_contents(__DIR__ . '/uploads/list', "hit\n", FILE_APPEND) === false) { http_response_code(500); exit; }
if (file(__DIR__ . "/uploads/list")[0] !== "first\n") { http_response_code(500); exit; }
echo "hello\n";
