package com.google.gson;

import java.lang.reflect.Type;

public class Gson {
    public native <T> T fromJson(String json, Type type);
}
