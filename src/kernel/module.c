/* ketafind._kernel: what Python sees of the search core.

   It knows points and bitmaps and no clinic. Arguments come from ketafind.index.kernel, which
   checks them; sizes and ranges that memory safety depends on are checked here again. Nothing is
   static but constants, trees never change once made, and scratch lives on the stack or the heap
   of one call: any number of threads may ask, with or without the GIL. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "batch.h"
#include "build.h"

/* More than this many answers go to the heap instead of the stack. */
#define STACK_ANSWERS 64
#define MAX_THREADS 64

/* ---- arguments ------------------------------------------------------------------------------ */

typedef struct {
    Py_buffer view;
    Py_ssize_t length; /* in items */
} Array;

/* Take a contiguous array of items of one size, or of any if that is 0; `formats` are what its type
   code may be. */
static bool take(PyObject *object, Array *array, const char *formats, Py_ssize_t size, int writable)
{
    const int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, &array->view, flags) < 0)
        return false;
    const char *format = array->view.format ? array->view.format : "B";
    if ((size && array->view.itemsize != size) || strlen(format) != 1 ||
        !strchr(formats, format[0]) ||
        (uintptr_t)array->view.buf % (size_t)array->view.itemsize) {
        PyErr_Format(PyExc_TypeError, "expected an aligned array of type '%s', not '%s'", formats,
                     format);
        PyBuffer_Release(&array->view);
        return false;
    }
    array->length = array->view.len / array->view.itemsize;
    return true;
}

typedef struct {
    const char *formats;
    Py_ssize_t size;
    int writable;
} Kind;

static const Kind DOUBLES = {"d", sizeof(double), 0}, DOUBLES_OUT = {"d", sizeof(double), 1};
static const Kind FLOATS = {"f", sizeof(float), 0}, FLOATS_OUT = {"f", sizeof(float), 1};
static const Kind IDS = {"il", sizeof(int32_t), 0}, IDS_OUT = {"il", sizeof(int32_t), 1};
static const Kind POSITIONS_OUT = {"bhilqn", 0, 1};
static const Kind BYTES = {"B", 1, 0};

static void release(Array *arrays, int n)
{
    while (n-- > 0)
        PyBuffer_Release(&arrays[n].view);
}

/* Take all or none. */
static bool take_all(PyObject *const *objects, Array *arrays, const Kind *const *kinds, int n)
{
    for (int i = 0; i < n; i++)
        if (!take(objects[i], &arrays[i], kinds[i]->formats, kinds[i]->size, kinds[i]->writable)) {
            release(arrays, i);
            return false;
        }
    return true;
}

static bool has_arguments(Py_ssize_t given, Py_ssize_t wanted)
{
    if (given == wanted)
        return true;
    PyErr_Format(PyExc_TypeError, "expected %zd arguments, got %zd", wanted, given);
    return false;
}

static PyObject *size_error(void)
{
    PyErr_SetString(PyExc_ValueError, "the arrays' sizes do not fit each other");
    return NULL;
}

/* ---- Tree ----------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    Tree tree;
    Array arrays[4]; /* points, ids, boxes, frame; held by the tree that was made from them */
    int held;
    uint32_t highest; /* id */
    PyObject *parent; /* whose arrays a filtered tree looks at */
    uint8_t *bits;
} TreeObject;

static Tree *tree_of(PyObject *self)
{
    return &((TreeObject *)self)->tree;
}

static bool sizes_fit(const Shape *shape, const Array *arrays)
{
    return arrays[0].length == shape->leaves * LEAF_DOUBLES && arrays[1].length == shape->rows &&
           arrays[2].length == shape->nodes * NODE_FLOATS && arrays[3].length == 12;
}

static PyObject *tree_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static const Kind *const kinds[4] = {&DOUBLES, &IDS, &FLOATS, &DOUBLES};
    PyObject *objects[4];
    long long positions;
    if (keywords && PyDict_Size(keywords) > 0) {
        PyErr_SetString(PyExc_TypeError, "Tree() takes no keywords");
        return NULL;
    }
    if (!PyArg_ParseTuple(arguments, "OOOOL:Tree", &objects[0], &objects[1], &objects[2],
                          &objects[3], &positions))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    TreeObject *self = (TreeObject *)allocate(type, 0);
    if (!self)
        return NULL;
    if (!take_all(objects, self->arrays, kinds, 4))
        goto fail;
    self->held = 4;
    if (self->arrays[1].length > MAX_ROWS) {
        PyErr_SetString(PyExc_ValueError, "more than 2,147,483,583 points");
        goto fail;
    }
    Tree *tree = &self->tree;
    tree->shape = shape_of(self->arrays[1].length);
    if (!sizes_fit(&tree->shape, self->arrays)) {
        size_error();
        goto fail;
    }
    tree->points = self->arrays[0].view.buf;
    tree->ids = self->arrays[1].view.buf;
    tree->boxes = self->arrays[2].view.buf;
    tree->frame = self->arrays[3].view.buf;
    uint32_t highest = 0; /* a negative id is a high one */
    for (int64_t row = 0; row < tree->shape.rows; row++)
        highest = (uint32_t)tree->ids[row] > highest ? (uint32_t)tree->ids[row] : highest;
    if (tree->shape.rows > 0 && highest >= positions) {
        PyErr_SetString(PyExc_ValueError, "a position is out of range");
        goto fail;
    }
    const size_t bytes = (size_t)(tree->shape.leaves + tree->shape.nodes);
    self->bits = malloc(bytes + 1);
    if (!self->bits) {
        PyErr_NoMemory();
        goto fail;
    }
    memset(self->bits, 0xff, bytes);
    raise_bits(&tree->shape, self->bits);
    tree->bits = self->bits;
    self->highest = highest;
    return (PyObject *)self;
fail:
    Py_DECREF(self);
    return NULL;
}

static void tree_dealloc(PyObject *object)
{
    TreeObject *self = (TreeObject *)object;
    PyTypeObject *type = Py_TYPE(object);
    release(self->arrays, self->held);
    Py_XDECREF(self->parent);
    free(self->bits);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static PyObject *tree_filtered(PyObject *object, PyObject *bits)
{
    TreeObject *self = (TreeObject *)object;
    const Shape *shape = &self->tree.shape;
    Array given;
    if (!take(bits, &given, BYTES.formats, BYTES.size, 0))
        return NULL;
    if (given.length != shape->leaves) {
        PyBuffer_Release(&given.view);
        return size_error();
    }
    PyTypeObject *type = Py_TYPE(object);
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    TreeObject *made = (TreeObject *)allocate(type, 0);
    if (made && !(made->bits = malloc((size_t)(shape->leaves + shape->nodes) + 1))) {
        Py_CLEAR(made);
        PyErr_NoMemory();
    }
    if (made) {
        memcpy(made->bits, given.view.buf, (size_t)given.length);
        made->tree = self->tree;
        made->tree.bits = made->bits;
        made->highest = self->highest;
        raise_bits(shape, made->bits);
        made->parent = self->parent ? self->parent : object;
        Py_INCREF(made->parent);
    }
    PyBuffer_Release(&given.view);
    return (PyObject *)made;
}

static PyObject *tree_compact(PyObject *self, PyObject *const *arguments, Py_ssize_t n)
{
    static const Kind *const kinds[4] = {&DOUBLES_OUT, &IDS_OUT, &FLOATS_OUT, &DOUBLES_OUT};
    const Tree *tree = tree_of(self);
    const Shape shape = shape_of(count_of(tree));
    Array arrays[4];
    if (!has_arguments(n, 4) || !take_all(arguments, arrays, kinds, 4))
        return NULL;
    const bool fit = sizes_fit(&shape, arrays);
    bool ready = true;
    if (fit) {
        Py_BEGIN_ALLOW_THREADS
        ready = compact(tree, arrays[0].view.buf, arrays[1].view.buf, arrays[2].view.buf,
                        arrays[3].view.buf);
        Py_END_ALLOW_THREADS
    }
    release(arrays, 4);
    if (!fit)
        return size_error();
    if (!ready)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *tree_fault(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    const Tree *tree = tree_of(self);
    const Shape *shape = &tree->shape;
    const char *fault = NULL;
    uint8_t *seen = malloc((size_t)shape->rows + 1);
    float *boxes = malloc((size_t)(shape->nodes * NODE_FLOATS + 1) * sizeof *boxes);
    const bool ready = seen && boxes;
    if (ready) {
        Py_BEGIN_ALLOW_THREADS
        fault = fault_of(tree, seen, boxes);
        Py_END_ALLOW_THREADS
    }
    free(boxes);
    free(seen);
    if (!ready)
        return PyErr_NoMemory();
    if (!fault)
        Py_RETURN_NONE;
    return PyUnicode_FromString(fault);
}

/* ---- questions ------------------------------------------------------------------------------ */

/* Plain floats and ints only; anything else is for the caller to look at. */
static bool plain_float(PyObject *object, double low, double high, double *value)
{
    if (!Py_IS_TYPE(object, &PyFloat_Type))
        return false;
    *value = PyFloat_AsDouble(object);
    return *value >= low && *value <= high;
}

/* Found points as two bytes objects: distances and positions. */
static PyObject *answer_of(const Found *found, int64_t n)
{
    PyObject *km = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(n * (int64_t)sizeof(double)));
    PyObject *position =
        PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(n * (int64_t)sizeof(Py_ssize_t)));
    PyObject *answer = km && position ? PyTuple_New(2) : NULL;
    if (!answer) {
        Py_XDECREF(km);
        Py_XDECREF(position);
        return NULL;
    }
    double *km_out = (double *)PyBytes_AsString(km);
    Py_ssize_t *position_out = (Py_ssize_t *)PyBytes_AsString(position);
    for (int64_t i = 0; i < n; i++) {
        km_out[i] = found[i].km;
        position_out[i] = (Py_ssize_t)found[i].position;
    }
    PyTuple_SetItem(answer, 0, km);
    PyTuple_SetItem(answer, 1, position);
    return answer;
}

/* Found points as two lists: distances and positions. */
static PyObject *lists_of(const Found *found, int64_t n)
{
    PyObject *km = PyList_New((Py_ssize_t)n), *position = PyList_New((Py_ssize_t)n);
    PyObject *answer = km && position ? PyTuple_New(2) : NULL;
    bool made = answer != NULL;
    for (int64_t i = 0; made && i < n; i++) {
        PyObject *far = PyFloat_FromDouble(found[i].km);
        PyObject *number = PyLong_FromLong(found[i].position);
        made = far && number;
        PyList_SetItem(km, (Py_ssize_t)i, far);
        PyList_SetItem(position, (Py_ssize_t)i, number);
    }
    if (!made) {
        Py_XDECREF(km);
        Py_XDECREF(position);
        Py_XDECREF(answer);
        return NULL;
    }
    PyTuple_SetItem(answer, 0, km);
    PyTuple_SetItem(answer, 1, position);
    return answer;
}

static PyObject *tree_nearest(PyObject *self, PyObject *const *arguments, Py_ssize_t n)
{
    const Tree *tree = tree_of(self);
    double lat, lon, limit;
    if (!has_arguments(n, 4))
        return NULL;
    if (!plain_float(arguments[0], -90.0, 90.0, &lat) ||
        !plain_float(arguments[1], -180.0, 180.0, &lon) ||
        !Py_IS_TYPE(arguments[2], &PyLong_Type) ||
        !plain_float(arguments[3], 0.0, INFINITY, &limit))
        Py_RETURN_NONE;
    int overflow;
    const long long wanted = PyLong_AsLongLongAndOverflow(arguments[2], &overflow);
    if (overflow < 0 || (!overflow && wanted < 1))
        Py_RETURN_NONE;
    const Point at = point_at(lat, lon);
    /* Microseconds: cheaper than to let go of the GIL. */
    if (!overflow && wanted <= STACK_ANSWERS) {
        Found found[STACK_ANSWERS];
        return lists_of(found, find_nearest(tree, at, limit, wanted, found));
    }
    const int64_t count = count_of(tree), k = overflow || wanted > count ? count : wanted;
    Found *found = malloc((size_t)(k + 1) * sizeof *found);
    if (!found)
        return PyErr_NoMemory();
    int64_t size;
    Py_BEGIN_ALLOW_THREADS
    size = find_nearest(tree, at, limit, k, found);
    Py_END_ALLOW_THREADS
    PyObject *answer = lists_of(found, size);
    free(found);
    return answer;
}

static PyObject *tree_nearest_many(PyObject *self, PyObject *const *arguments, Py_ssize_t n)
{
    static const Kind *const kinds[4] = {&DOUBLES, &DOUBLES, &DOUBLES_OUT, &POSITIONS_OUT};
    const Tree *tree = tree_of(self);
    if (!has_arguments(n, 6))
        return NULL;
    const long long k = PyLong_AsLongLong(arguments[4]);
    const double limit = PyFloat_AsDouble(arguments[5]);
    Array arrays[4];
    if (PyErr_Occurred() || !take_all(arguments, arrays, kinds, 4))
        return NULL;
    const Py_ssize_t rows = arrays[0].length;
    const int width = (int)arrays[3].view.itemsize;
    const uint64_t most = (UINT64_C(1) << (8 * width - 1)) - 1;
    const bool fit = ((TreeObject *)self)->highest <= most && k > 0 && limit >= 0.0 &&
                     arrays[1].length == rows && rows < UINT32_MAX &&
                     (rows == 0 || k <= arrays[2].length / rows) &&
                     arrays[2].length == rows * k && arrays[3].length == rows * k;
    bool ready = true;
    if (fit) {
        const Results results = {arrays[2].view.buf, arrays[3].view.buf, width, k};
        Py_BEGIN_ALLOW_THREADS
        ready = find_nearest_many(tree, arrays[0].view.buf, arrays[1].view.buf, rows, limit,
                                  &results);
        Py_END_ALLOW_THREADS
    }
    release(arrays, 4);
    if (!fit)
        return size_error();
    if (!ready)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* All within a radius of one origin, as bytes. */
static PyObject *tree_within(PyObject *self, PyObject *const *arguments, Py_ssize_t n)
{
    double lat, lon, radius;
    if (!has_arguments(n, 3))
        return NULL;
    if (!plain_float(arguments[0], -90.0, 90.0, &lat) ||
        !plain_float(arguments[1], -180.0, 180.0, &lon) ||
        !plain_float(arguments[2], 0.0, INFINITY, &radius)) {
        PyErr_SetString(PyExc_ValueError, "expected floats in their ranges");
        return NULL;
    }
    TopK all;
    bool ready;
    Py_BEGIN_ALLOW_THREADS
    ready = find_within(tree_of(self), point_at(lat, lon), radius, &all);
    Py_END_ALLOW_THREADS
    PyObject *answer = ready ? answer_of(all.found, all.size) : PyErr_NoMemory();
    free(all.found);
    return answer;
}

static PyObject *tree_get_count(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLongLong(count_of(tree_of(self)));
}

static PyObject *tree_get_rows(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLongLong(tree_of(self)->shape.rows);
}

static PyMethodDef tree_methods[] = {
    {"filtered", tree_filtered, METH_O, "filtered(bits): the same tree under a filter"},
    {"compact", (PyCFunction)(void (*)(void))tree_compact, METH_FASTCALL,
     "compact(points, ids, boxes, frame): lay out the rows that pass as a tree of their own"},
    {"fault", tree_fault, METH_NOARGS, "fault(): what is wrong with an unfiltered tree, or None"},
    {"nearest", (PyCFunction)(void (*)(void))tree_nearest, METH_FASTCALL,
     "nearest(lat, lon, k, limit_km): lists of distances and positions; None if an argument is "
     "no plain float or int in its range"},
    {"nearest_many", (PyCFunction)(void (*)(void))tree_nearest_many, METH_FASTCALL,
     "nearest_many(lat, lon, distances, positions, k, limit_km): fills (n, k) arrays"},
    {"within", (PyCFunction)(void (*)(void))tree_within, METH_FASTCALL,
     "within(lat, lon, radius_km): bytes of distances and positions"},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef tree_getset[] = {
    {"count", tree_get_count, NULL, "How many rows pass.", NULL},
    {"rows", tree_get_rows, NULL, "How many rows there are.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot tree_slots[] = {
    {Py_tp_doc, "Tree(points, ids, boxes, frame, n): a tree over arrays that build() filled."},
    {Py_tp_new, tree_new},
    {Py_tp_dealloc, tree_dealloc},
    {Py_tp_methods, tree_methods},
    {Py_tp_getset, tree_getset},
    {0, NULL}};

static PyType_Spec tree_spec = {"ketafind._kernel.Tree", sizeof(TreeObject), 0, Py_TPFLAGS_DEFAULT,
                                tree_slots};

/* ---- module --------------------------------------------------------------------------------- */

static PyObject *module_sizes(PyObject *Py_UNUSED(module), PyObject *rows)
{
    const long long n = PyLong_AsLongLong(rows);
    if (PyErr_Occurred())
        return NULL;
    if (n < 0 || n > MAX_ROWS) {
        PyErr_SetString(PyExc_ValueError, "the number of points must be 0 to 2,147,483,583");
        return NULL;
    }
    const Shape shape = shape_of(n);
    return Py_BuildValue("LLLi", (long long)shape.leaves * LEAF_DOUBLES, n,
                         (long long)shape.nodes * NODE_FLOATS, 12);
}

static PyObject *module_build(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t n)
{
    static const Kind *const kinds[6] = {&DOUBLES, &DOUBLES,    &DOUBLES_OUT,
                                         &IDS_OUT, &FLOATS_OUT, &DOUBLES_OUT};
    Array arrays[6];
    if (!has_arguments(n, 7))
        return NULL;
    const long threads = PyLong_AsLong(arguments[6]);
    if (PyErr_Occurred() || !take_all(arguments, arrays, kinds, 6))
        return NULL;
    const Py_ssize_t rows = arrays[0].length;
    bool fit = threads > 0 && threads <= MAX_THREADS && arrays[1].length == rows &&
               rows <= MAX_ROWS;
    bool ready = true;
    if (fit) {
        const Shape shape = shape_of(rows);
        fit = sizes_fit(&shape, arrays + 2);
    }
    if (fit) {
        Py_BEGIN_ALLOW_THREADS
        ready = build(arrays[0].view.buf, arrays[1].view.buf, rows, (int)threads,
                      arrays[2].view.buf, arrays[3].view.buf, arrays[4].view.buf, arrays[5].view.buf);
        Py_END_ALLOW_THREADS
    }
    release(arrays, 6);
    if (!fit)
        return size_error();
    if (!ready)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *module_distance(PyObject *Py_UNUSED(module), PyObject *const *arguments,
                                 Py_ssize_t n)
{
    static const Kind *const kinds[5] = {&DOUBLES, &DOUBLES, &DOUBLES, &DOUBLES, &DOUBLES_OUT};
    Array arrays[5];
    if (!has_arguments(n, 5) || !take_all(arguments, arrays, kinds, 5))
        return NULL;
    const Py_ssize_t rows = arrays[4].length;
    bool fit = true;
    Py_ssize_t step[4];
    for (int i = 0; i < 4; i++) {
        step[i] = arrays[i].length != 1 || rows == 1; /* one value stands for all */
        fit = fit && (arrays[i].length == rows || arrays[i].length == 1);
    }
    if (fit) {
        const double *lat1 = arrays[0].view.buf, *lon1 = arrays[1].view.buf;
        const double *lat2 = arrays[2].view.buf, *lon2 = arrays[3].view.buf;
        double *km = arrays[4].view.buf;
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < rows; i++)
            km[i] = geodesic_km(point_at(lat1[i * step[0]], lon1[i * step[1]]),
                                point_at(lat2[i * step[2]], lon2[i * step[3]]));
        Py_END_ALLOW_THREADS
    }
    release(arrays, 5);
    if (!fit)
        return size_error();
    Py_RETURN_NONE;
}

static PyMethodDef module_methods[] = {
    {"sizes", module_sizes, METH_O,
     "sizes(n): lengths of points, ids, boxes and frame for n points"},
    {"build", (PyCFunction)(void (*)(void))module_build, METH_FASTCALL,
     "build(lat, lon, points, ids, boxes, frame, threads): lay out points as a tree"},
    {"distance", (PyCFunction)(void (*)(void))module_distance, METH_FASTCALL,
     "distance(lat1, lon1, lat2, lon2, km): geodesics; an array of one stands for all"},
    {NULL, NULL, 0, NULL}};

static int module_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &tree_spec, NULL);
    if (!type)
        return -1;
    const int added = PyModule_AddObjectRef(module, "Tree", type);
    Py_DECREF(type);
    return added;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec},
#ifdef Py_mod_gil
                                          {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
                                          {0, NULL}};

static struct PyModuleDef module_definition = {PyModuleDef_HEAD_INIT,
                                               .m_name = "ketafind._kernel",
                                               .m_doc = "The search core of ketafind.",
                                               .m_size = 0,
                                               .m_methods = module_methods,
                                               .m_slots = module_slots};

PyMODINIT_FUNC PyInit__kernel(void)
{
    return PyModuleDef_Init(&module_definition);
}
